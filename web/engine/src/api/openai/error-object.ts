/** An error in OpenAI's shape. */
import type { MambaError } from '../../base/failure.ts';

export interface ErrorObject {
  error: {
    /** What went wrong, and what can be done. */
    message: string;
    type: 'invalid_request_error' | 'server_error';
    /** The option or the argument that is wrong. */
    param: string | null;
    /** That of the `MambaError`. */
    code: string;
  };
}

/** The caller's own faults. */
const WRONG_CALLS: ReadonlySet<string> = new Set(['invalid-option', 'invalid-request', 'chat-template', 'own-chat-template', 'no-tools', 'empty-prompt', 'token-range']);
/** The next call starts the engine anew. */
const PASSING: ReadonlySet<string> = new Set(['engine-crashed', 'engine-crashed-gpu', 'engine-silent', 'engine-restarted']);

export function errorObject({ code, message, remedy, data }: MambaError): { body: ErrorObject; status: number; isWorthAnotherTry: boolean } {
  const isWrongCall = WRONG_CALLS.has(code);
  const param = data.option ?? data.argument;
  return {
    body: {
      error: {
        message: `${message} ${remedy}`,
        type: isWrongCall ? 'invalid_request_error' : 'server_error',
        param: param === undefined ? null : String(param),
        code,
      },
    },
    status: isWrongCall ? 400 : 500,
    isWorthAnotherTry: PASSING.has(code),
  };
}
