/** Files for any static server: the model runs in the browser, and no server of Next.js is needed. */
export default { output: 'export' };
