/** `web-mamba/ai-sdk` for pages without a bundler, over `web-mamba.js` beside it as `prompt-api.ts` is. */
import './web-mamba.ts';

export * from '../ai-sdk/index.ts';
