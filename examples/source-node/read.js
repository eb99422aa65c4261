// Shows a session of a source-server in this terminal, or kicks it. It needs Node, and nothing else.
//
//   node read.js [--kick] [HOST:]PORT ID
'use strict';
const net = require('node:net');

const MAX_PAYLOAD = 16 << 20;

// Frames cuts what comes into frames and a control, wherever it was split on its way. A payload of d and i is handed on in
// pieces, as it comes.
class Frames {
  #head = Buffer.alloc(5);
  #have = 0; // bytes of the head
  #left = 0; // bytes of the payload that are still to come
  #view = '';
  #over = false;

  // on has data(type, bytes), view(cols, rows) and control(code).
  constructor(on) {
    this.on = on;
  }

  feed(bytes) {
    for (let at = 0; at < bytes.length && !this.#over; ) {
      at += this.#left > 0 ? this.#payload(bytes.subarray(at, at + this.#left)) : this.#header(bytes[at]);
    }
  }

  #header(byte) {
    const letter = String.fromCharCode(byte);
    if (this.#have === 0 && (letter === '3' || letter === '5')) {
      this.#over = true;
      this.on.control(Number(letter));
      return 1;
    }
    if (this.#have === 0 && !'dvi'.includes(letter)) throw new Error(`${JSON.stringify(letter)} is no type of a frame`);
    this.#head[this.#have++] = byte;
    if (this.#have === 5) {
      this.#have = 0;
      this.#left = this.#head.readUInt32BE(1);
      this.#view = '';
      if (this.#left > MAX_PAYLOAD) throw new Error(`a frame of ${this.#left} bytes`);
    }
    return 1;
  }

  #payload(piece) {
    const type = String.fromCharCode(this.#head[0]);
    this.#left -= piece.length;
    if (type !== 'v') {
      this.on.data(type, piece);
      return piece.length;
    }
    this.#view += piece.toString('latin1');
    const size = /^([1-9]\d{0,3})x([1-9]\d{0,3})$/.exec(this.#view);
    if (this.#left === 0 && !size || this.#view.length > 9) throw new Error(`${JSON.stringify(this.#view.slice(0, 20))} is no size`);
    if (this.#left === 0) this.on.view(Number(size[1]), Number(size[2]));
    return piece.length;
  }
}

function main(args) {
  const kick = args[0] === '--kick';
  const [where, id] = kick ? args.slice(1) : args;
  if (!where || !id) {
    console.error('usage: node read.js [--kick] [HOST:]PORT ID');
    process.exit(2);
  }
  const [, host, port] = /^(?:(.*):)?(\d+)$/.exec(where) ?? [];
  const socket = net.connect({ host: host || '127.0.0.1', port: Number(port) });
  let over = false;

  // end says what became of the session, below what it showed.
  const end = (code, why, status) => {
    if (over) return;
    over = true;
    socket.destroy();
    process.exitCode = status;
    process.stdout.write(`${kick ? '' : '\x1b[!p\r\n'}会话已结束！ (code ${code}: ${why})\n`);
  };
  const frames = new Frames({
    data: (type, bytes) => {
      if (type === 'd' && !process.stdout.write(bytes)) { // whoever reads slowly holds up no more than this
        socket.pause();
        process.stdout.once('drain', () => socket.resume());
      }
    },
    view: (cols, rows) => process.stdout.write(`\x1b[8;${rows};${cols}t`), // terminals that can become as large do
    control: (code) => end(code, code === 3 ? 'it was ended by a kick' : 'it is over, or there is none such', 0),
  });
  socket.on('connect', () => socket.write(`[flag]=${kick ? 1 : 0}&[sessionid]=${id}`));
  socket.on('data', (bytes) => {
    try {
      frames.feed(bytes);
    } catch (err) {
      end(5, err.message, 1);
    }
  });
  socket.on('error', (err) => end(5, err.message, 1));
  socket.on('close', () => end(5, 'the connection was closed', 1));
  process.on('SIGINT', () => process.exit(130));
}

if (require.main === module) main(process.argv.slice(2));
module.exports = { Frames };
