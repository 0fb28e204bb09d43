/**
 * The two builds of the engine: one for every browser, and one with the relaxed SIMD dot product, which is about twice as fast where
 * the browser has it. A module with instructions that a browser lacks does not even compile there, so the choice comes first.
 */
import * as relaxed from '../../pkg-relaxed/web_mamba.js';
import * as plain from '../../pkg/web_mamba.js';

export type Flavour = 'relaxed' | 'plain';

export type Package = typeof plain;

/** The smallest module with a relaxed instruction: `i8x16.relaxed_swizzle` of two constants. */
const RELAXED_MODULE = Uint8Array.of(
  0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 15, 1, 13, 0, 65, 1, 253, 15, 65, 2, 253, 15, 253, 128, 2, 11,
);

export function bestFlavour(): Flavour {
  return WebAssembly.validate(RELAXED_MODULE) ? 'relaxed' : 'plain';
}

/**
 * The package of a flavour, not yet started: its module is fetched when it starts. Both are in the worker's script, since many bundlers
 * do not split a worker without being told to, and they are small beside their modules.
 */
export function packageOf(flavour: Flavour): Package {
  // Both are built from the same source and have the same types.
  return flavour === 'relaxed' ? (relaxed as unknown as Package) : plain;
}
