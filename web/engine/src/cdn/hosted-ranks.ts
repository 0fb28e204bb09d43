/** Workers that share a model are started from beside this file, wherever it is hosted. */
import { startHosted } from '../base/assets.ts';
import { startRanksBy } from '../worker/load-engine.ts';

startRanksBy((flavour) => startHosted('rank.worker.js', import.meta.url, flavour));
