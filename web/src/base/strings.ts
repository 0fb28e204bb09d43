/** What more than one part of the page says. `{name}` is filled in by `fill` of `format.ts`. */
export const strings = {
  product: 'web-mamba',

  copy: 'Copy answer',
  copied: 'Copied',
  notCopied: 'This browser does not let the page copy',

  copyCode: 'Copy code',
  taskDone: 'Done',
  taskOpen: 'To do',
  picture: 'Picture',
} as const;
