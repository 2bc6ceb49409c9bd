// A document in receiptline's own language on the standard input becomes printer commands on the standard output.
// Its only argument is receiptline's options as JSON.
"use strict";
const fs = require("fs");
const receiptline = require("receiptline");

const commands = receiptline.transform(fs.readFileSync(0, "utf8"), JSON.parse(process.argv[2]));
fs.writeSync(1, Buffer.from(commands, "latin1"));
