/** A message of a room's own recording. */
export interface Message {
  /** The sender's id; empty if nobody's. */
  sender: string;
  /** What was said is an event, a JSON array; else it is bytes. */
  event: boolean;
  said: Uint8Array<ArrayBuffer>;
}

/** What somebody typed who looked on. */
export interface Typed {
  by: string;
  bytes: Uint8Array<ArrayBuffer>;
}

/** Reads what was typed along: the name of who did, a zero, the bytes. */
export function readTyped(data: Uint8Array<ArrayBuffer>): Typed {
  const end = data.indexOf(0);
  return { by: new TextDecoder().decode(data.subarray(0, Math.max(0, end))), bytes: data.subarray(end + 1) };
}

/** Reads a message, as docs/recording-format.md lays it out. undefined if it is none. */
export function readMessage(data: Uint8Array<ArrayBuffer>): Message | undefined {
  let i = 0;
  const uvarint = (): number => {
    let value = 0;
    for (let factor = 1; i < data.length; factor *= 128) {
      const c = data[i++] ?? 0;
      value += (c & 127) * factor;
      if (c < 128) return value;
    }
    return NaN;
  };
  uvarint(); // the offset in the room's log
  const head = uvarint();
  const length = head & 63;
  if (Number.isNaN(head) || i + length > data.length) return undefined;
  return {
    sender: new TextDecoder().decode(data.subarray(i, i + length)),
    event: (head & 64) !== 0,
    said: data.subarray(i + length),
  };
}
