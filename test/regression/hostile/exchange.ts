import { connect } from 'node:net';

/** What came back on one connection. */
export interface Answer {
  /** 0 where nothing came back. */
  readonly status: number;
  readonly contentType: string;
  readonly body: string;
  /** Final answers (not 1xx) that the bytes hold. */
  readonly answers: number;
  /** The connection was open and silent when it was given up. */
  readonly hung: boolean;
}

const GIVE_UP_MS = 60_000;
/** What was written by hand need not end, so silence does. */
const SILENCE_MS = 300;

/**
 * Sends bytes as they are, on a connection of their own, and reads until the other side closes it. The own side stays
 * open meanwhile: closed, it would look like a client that left.
 */
export function exchange(port: number, bytes: Buffer, byHand: boolean): Promise<Answer> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    let hung = false;
    const socket = connect({ port, host: '127.0.0.1' }, () => socket.write(bytes));
    const endOfSilence = (): void => {
      hung = !byHand;
      socket.destroy();
    };
    socket.setTimeout(byHand ? SILENCE_MS : GIVE_UP_MS, endOfSilence);
    socket.on('data', (chunk: Buffer) => chunks.push(chunk));
    // A refusal may close the connection while the rest of the request is being written; what was read counts.
    socket.on('error', () => {});
    socket.on('close', () => resolve({ ...parseAnswer(Buffer.concat(chunks)), hung }));
  });
}

function parseAnswer(bytes: Buffer): Omit<Answer, 'hung'> {
  let rest = bytes;
  for (;;) {
    const end = rest.indexOf('\r\n\r\n');
    const head = rest.subarray(0, end === -1 ? 0 : end).toString('latin1');
    const status = Number(/^HTTP\/1\.1 (\d{3})/.exec(head)?.[1] ?? 0);
    if (status >= 100 && status < 200 && end !== -1) {
      rest = rest.subarray(end + 4);
      continue;
    }
    const chunked = /^transfer-encoding: chunked$/im.test(head);
    const after = rest.subarray(end === -1 ? rest.length : end + 4);
    return {
      status,
      contentType: /^content-type: (.*)$/im.exec(head)?.[1] ?? '',
      body: (chunked ? joinChunks(after) : after).toString(),
      answers: [...rest.toString('latin1').matchAll(/(?:^|\n|\})HTTP\/1\.1 [2-5]\d\d /g)].length,
    };
  }
}

function joinChunks(bytes: Buffer): Buffer {
  const parts: Buffer[] = [];
  for (let rest = bytes; ; ) {
    const end = rest.indexOf('\r\n');
    const size = end === -1 ? 0 : Number.parseInt(rest.subarray(0, end).toString('latin1'), 16);
    if (!(size > 0)) return Buffer.concat(parts);
    parts.push(rest.subarray(end + 2, end + 2 + size));
    rest = rest.subarray(end + 4 + size);
  }
}
