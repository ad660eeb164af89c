import { type Server, STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import type { ConnectionError } from 'fastify';
import { failure } from '../core/errors.ts';
import { PROBLEM_TYPE, problemOf } from './problem.ts';
import { requestId } from './request-identity.ts';

/** For the answer to arrive; closed at once, a socket with unread bytes resets and takes the answer with it. */
const LINGER_MS = 1000;

/**
 * Answers what is not even a request (a bad request line, headers that are too large or too slow) with a problem
 * document, written to the socket by hand since there is no reply to write it with.
 */
export function answerConnectionError(error: ConnectionError, socket: Socket): void {
  // Nobody is there, or an answer has begun which this text would corrupt.
  if (error.code === 'ECONNRESET' || !socket.writable || socket.bytesWritten > 0) {
    socket.destroy();
    return;
  }
  const problem = problemOf(refusal(error.code), requestId({ headers: {} }));
  const body = JSON.stringify(problem);
  socket.end(
    `HTTP/1.1 ${problem.status} ${STATUS_CODES[problem.status]}\r\ncontent-type: ${PROBLEM_TYPE}\r\n` +
      `content-length: ${Buffer.byteLength(body)}\r\nx-request-id: ${problem.request_id}\r\nconnection: close\r\n\r\n${body}`,
  );
  // A client that never ends its side would otherwise hold the connection for as long as it likes.
  setTimeout(() => socket.destroy(), LINGER_MS).unref();
}

function refusal(code: string) {
  if (code === 'HPE_HEADER_OVERFLOW') return failure('headers_too_large', 'The headers are too large.');
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') return failure('request_timeout', 'The request did not arrive in time.');
  return failure('invalid_request', 'This is not a valid HTTP request.');
}

/**
 * Node answers an `Expect` that it does not know with a bare 417; such a request is answered like any other here, as
 * RFC 9110 allows.
 */
export function ignoreExpectations(server: Server): void {
  server.on('checkExpectation', (request, response) => server.emit('request', request, response));
}
