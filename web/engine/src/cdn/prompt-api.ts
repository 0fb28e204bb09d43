/** `web-mamba/prompt-api` for pages without a bundler. The engine's own part of it is `web-mamba.js` beside it, so that a model of either file is one of both. */
import './web-mamba.ts';

export * from '../prompt-api/index.ts';
