/** Where things are. */
import path from 'node:path';

export const ROOT = path.join(import.meta.dirname, '../..');
export const OUTPUT = path.join(import.meta.dirname, 'output');
export const HARNESS = path.join(OUTPUT, 'harness');
export const TOY_HARNESS = path.join(OUTPUT, 'toy-harness');
export const TOY_PACKAGE = path.join(OUTPUT, 'toy-package');
export const DIST = path.join(ROOT, 'web/dist');
export const GOLDEN_LOGITS = path.join(ROOT, 'tests/golden/logits');
export const GOLDEN_MODELS = path.join(ROOT, 'tests/golden/models');
export const GOLDEN_SPLIT = path.join(ROOT, 'tests/golden/split');
export const GOLDEN_TOY = path.join(ROOT, 'tests/golden/toy');
