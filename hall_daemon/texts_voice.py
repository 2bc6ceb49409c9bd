"""Sentences that are only heard, by code: Chinese, English (ux.md §3.4). Nothing is said that is not on a screen too.

A fact in braces is a clip of its own: {number} digit by digit, {n} and {window} as quantities, {zone} a zone's name.
"""

TEXTS: dict[str, tuple[str, str]] = {
    "voice.idle": (
        "请把身份证放在屏幕下方的读卡区。没带身份证请按一。",
        "Place your ID card on the reader below the screen. Without an ID card, press one.",
    ),
    "voice.readfail": ("没读到，请平放再试一次。", "Could not read it. Lay the card flat and try again."),
    "voice.nocard": ("没带身份证也能办，请选择。", "You can go on without an ID card. Please choose."),
    "voice.id": ("请输入身份证号，末位X请按星号键。", "Please type your ID number. For X press the star key."),
    "voice.phone": (
        "请输入手机号，按确认结束。没有手机请按星号键。",
        "Type your mobile number and press confirm. Without a phone, press the star key.",
    ),
    "voice.service": ("请选择要办的事。", "Please choose what you need today."),
    "voice.confirm": (
        "请核对。前面还有{n}人。取号请按确认。",
        "Please check. {n} ahead of you. Press confirm to take your ticket.",
    ),
    "voice.printing": ("正在打印号票。", "Your ticket is being printed."),
    "voice.done": (
        "您的号码，{number}。请取走号票和身份证，到{zone}等候。",
        "Your number is {number}. Take your ticket and your ID card, and wait in {zone}.",
    ),
    "voice.nopaper": (
        "号码已取好，{number}。打印纸用完了，请记下号码。",
        "Your number is {number}. The paper has run out: please remember the number.",
    ),
    "voice.unsure": (
        "您的号码，{number}。没拿到号票，请记下号码。",
        "Your number is {number}. If no ticket came out, please remember the number.",
    ),
    "voice.cardleft": ("请收好您的身份证。", "Please take your ID card."),
    "voice.duplicate": ("您已经取过号，{number}。", "You already have a ticket, {number}."),
    "voice.timeout": ("还需要时间吗？按任意键继续。", "Do you need more time? Press any key to go on."),
    "voice.help": ("已叫工作人员，请稍等。", "Staff have been called. Please wait."),
    "voice.reader": ("读卡器暂时不能用，请选择别的方式。", "The card reader does not work. Please choose another way."),
    "voice.closed": ("现在不办公。", "The hall is closed."),
    "voice.maintenance": (
        "这台机器正在维护，请用旁边的机器。",
        "This kiosk is out of service. Please use the next one.",
    ),
    # the command that builds the clips, and what `diagnose` says of them
    "voice_build.begins": ("用 {engine} 制作语音，放入 {folder}", "Building clips with {engine} into {folder}"),
    "voice_build.state": (
        "语音 {engine}：共需 {needed} 个，已有 {present} 个，其中真人录音 {recorded} 个。",
        "Voice {engine}: {present} of {needed} clips, {recorded} of them recorded by people.",
    ),
    "doctor.voice": ("叫号语音", "Voice clips"),
    "doctor.voice.none": ("没有制作，由 espeak-ng 逐句合成", "Not built; espeak-ng speaks each sentence"),
    "doctor.voice.is": (
        "{engine}，{present}/{needed}，录音 {recorded}",
        "{engine}, {present}/{needed}, {recorded} recorded",
    ),
    "doctor.voice.build": (
        "缺 {missing} 等 {n} 个：运行 hall-daemon voice build",
        "{n} are missing, like {missing}: run hall-daemon voice build",
    ),
    "doctor.voice.broken": (
        "录音不能用：{first}。请重录为 16 位 WAV",
        "A recording cannot be used: {first}. Record it again as WAV, 16 bit",
    ),
}
