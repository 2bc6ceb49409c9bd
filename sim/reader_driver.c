/* A reader driver for pcscd around vpcd's: adds what vpcd lacks, a reader that vanishes and an escape channel.
 *
 * Everything is passed on to the driver in NAME.real beside this one (NAME is this file). Beside it may lie
 *
 *     NAME.gone    the reader is unplugged while this exists; `pcscd --hotplug` makes the service look again
 *     NAME.escape  a Unix socket that answers escape commands; without it they are refused as vpcd refuses them
 *
 *     to the socket      control code (4 b) | length (4 b) | bytes        numbers with the high byte first
 *     from the socket    length (4 b) | bytes; FF FF FF FF refuses
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <dlfcn.h>
#include <ifdhandler.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static const char *beside(char *path, size_t size, const char *suffix)
{
    Dl_info info;
    if (!dladdr((void *)&beside, &info))
        return NULL;
    snprintf(path, size, "%s.%s", info.dli_fname, suffix);
    return path;
}

static void *real(const char *symbol)
{
    static void *library;
    char path[512];
    if (!library && beside(path, sizeof path, "real"))
        library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    return library ? dlsym(library, symbol) : NULL;
}

static int gone(void)
{
    char path[512];
    return beside(path, sizeof path, "gone") && access(path, F_OK) == 0;
}

/* Calls the real function of the same name and type. */
#define PASS_ON(name, ...)                                                                                            \
    do {                                                                                                              \
        __typeof__(&name) target = (__typeof__(&name))real(#name);                                                    \
        return !target || gone() ? IFD_NO_SUCH_DEVICE : target(__VA_ARGS__);                                          \
    } while (0)

RESPONSECODE IFDHCreateChannelByName(DWORD lun, LPSTR name) { PASS_ON(IFDHCreateChannelByName, lun, name); }
RESPONSECODE IFDHCreateChannel(DWORD lun, DWORD channel) { PASS_ON(IFDHCreateChannel, lun, channel); }
RESPONSECODE IFDHICCPresence(DWORD lun) { PASS_ON(IFDHICCPresence, lun); }

RESPONSECODE IFDHCloseChannel(DWORD lun)
{
    __typeof__(&IFDHCloseChannel) target = (__typeof__(&IFDHCloseChannel))real("IFDHCloseChannel");
    return target ? target(lun) : IFD_NO_SUCH_DEVICE;
}

RESPONSECODE IFDHGetCapabilities(DWORD lun, DWORD tag, PDWORD length, PUCHAR value)
{
    PASS_ON(IFDHGetCapabilities, lun, tag, length, value);
}

RESPONSECODE IFDHSetCapabilities(DWORD lun, DWORD tag, DWORD length, PUCHAR value)
{
    PASS_ON(IFDHSetCapabilities, lun, tag, length, value);
}

RESPONSECODE IFDHSetProtocolParameters(DWORD lun, DWORD protocol, UCHAR flags, UCHAR pts1, UCHAR pts2, UCHAR pts3)
{
    PASS_ON(IFDHSetProtocolParameters, lun, protocol, flags, pts1, pts2, pts3);
}

RESPONSECODE IFDHPowerICC(DWORD lun, DWORD action, PUCHAR atr, PDWORD length)
{
    PASS_ON(IFDHPowerICC, lun, action, atr, length);
}

RESPONSECODE IFDHTransmitToICC(DWORD lun, SCARD_IO_HEADER sent, PUCHAR command, DWORD command_length, PUCHAR answer,
                               PDWORD answer_length, PSCARD_IO_HEADER received)
{
    PASS_ON(IFDHTransmitToICC, lun, sent, command, command_length, answer, answer_length, received);
}

static int read_all(int fd, void *to, size_t count)
{
    for (size_t got = 0; got < count;) {
        ssize_t more = read(fd, (char *)to + got, count - got);
        if (more <= 0)
            return 0;
        got += (size_t)more;
    }
    return 1;
}

static RESPONSECODE exchange(int fd, DWORD code, PUCHAR command, DWORD length, PUCHAR answer, DWORD most, LPDWORD got)
{
    uint32_t head[2] = {htonl((uint32_t)code), htonl((uint32_t)length)}, count;
    if (write(fd, head, sizeof head) != sizeof head || write(fd, command, length) != (ssize_t)length)
        return IFD_COMMUNICATION_ERROR;
    if (!read_all(fd, &count, sizeof count))
        return IFD_COMMUNICATION_ERROR;
    count = ntohl(count);
    if (count == 0xFFFFFFFF)
        return IFD_ERROR_NOT_SUPPORTED;
    if (count > most || !read_all(fd, answer, count))
        return IFD_COMMUNICATION_ERROR;
    *got = count;
    return IFD_SUCCESS;
}

RESPONSECODE IFDHControl(DWORD lun, DWORD code, PUCHAR command, DWORD length, PUCHAR answer, DWORD most, LPDWORD got)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    (void)lun;
    *got = 0;
    if (gone())
        return IFD_NO_SUCH_DEVICE;
    beside(address.sun_path, sizeof address.sun_path, "escape");
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    RESPONSECODE code_of_result = IFD_ERROR_NOT_SUPPORTED;
    if (fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof address) == 0)
        code_of_result = exchange(fd, code, command, length, answer, most, got);
    if (fd >= 0)
        close(fd);
    return code_of_result;
}
