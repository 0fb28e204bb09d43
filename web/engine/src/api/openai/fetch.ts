/** OpenAI's interface over HTTP, without a server: a function in the shape of `fetch` whose answers a model gives. */
import { toFailure } from '../../base/failure.ts';
import { wrongArgument } from '../checks.ts';
import { LoadedModel } from '../loaded-model.ts';
import { eventStream } from './event-stream.ts';
import { errorObject } from './error-object.ts';
import type { ChatCompletionBody, CompletionBody } from './types.ts';

/** What addresses without a host are relative to: none of them leads to a server. */
const BASE = 'http://web-mamba/';
const ROUTE = /\/v1\/(chat\/completions|completions|models)(?:\/([^/]+))?$/;
const ROUTES = 'an address that ends in /v1/chat/completions, /v1/completions or /v1/models';

/** `fetch`, as the package `openai` takes it. */
export type OpenAiFetch = (input: string | URL | Request, init?: RequestInit) => Promise<Response>;

/**
 * Serves `POST …/v1/chat/completions`, `POST …/v1/completions`, `GET …/v1/models` and `GET …/v1/models/NAME` from a model, with server-sent
 * events for streams and OpenAI's error objects; of an address only its end counts. Nothing goes over the network. As `fetch` does, it rejects
 * where its signal is set.
 */
export function openAiFetch(model: LoadedModel): OpenAiFetch {
  if (!(model instanceof LoadedModel)) throw wrongArgument('model', model, 'what WebMamba.load gives');
  const created = Math.floor(Date.now() / 1000);
  return async (input, init) => {
    const signal = init?.signal ?? (input instanceof Request ? input.signal : undefined);
    signal?.throwIfAborted();
    // What is no request rejects, as with `fetch`.
    const request = input instanceof Request ? new Request(input, init) : new Request(new URL(input, BASE), init);
    try {
      return await answered(model, created, request, signal);
    } catch (thrown) {
      signal?.throwIfAborted();
      return refusal(thrown);
    }
  };
}

async function answered(model: LoadedModel, created: number, request: Request, signal: AbortSignal | undefined): Promise<Response> {
  const { pathname } = new URL(request.url);
  const [, route, name] = ROUTE.exec(pathname) ?? [];
  if (route === undefined || (name !== undefined && route !== 'models')) return refusal(wrongArgument('url', pathname, ROUTES), 404);
  const method = route === 'models' ? 'GET' : 'POST';
  if (request.method !== method) return refusal(wrongArgument('method', request.method, method), 405);
  if (route === 'models') return models(model, created, name);
  const body = bodyOf(await request.text());
  const options = { signal };
  const answer = route === 'completions'
    ? await model.completions.create(body as CompletionBody, options)
    : await model.chat.completions.create(body as ChatCompletionBody, options);
  return Symbol.asyncIterator in answer ? eventStream(answer, signal) : json(answer);
}

function bodyOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw wrongArgument('body', text, 'JSON');
  }
}

function models(model: LoadedModel, created: number, encoded: string | undefined): Response {
  const entry = { id: model.name, object: 'model', created, owned_by: 'web-mamba' };
  if (encoded === undefined) return json({ object: 'list', data: [entry] });
  const name = decoded(encoded);
  return name === model.name ? json(entry) : refusal(wrongArgument('model', name, JSON.stringify(model.name)), 404);
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function json(value: object, status = 200, headers: Readonly<Record<string, string>> = {}): Response {
  return new Response(JSON.stringify(value), { status, headers: { 'content-type': 'application/json', ...headers } });
}

function refusal(thrown: unknown, status?: number): Response {
  const { body, status: own, isWorthAnotherTry } = errorObject(toFailure(thrown));
  // By its status alone, clients would try again whatever went wrong in here.
  return json(body, status ?? own, { 'x-should-retry': String(isWorthAnotherTry) });
}
