/** The page's entry. */
import { EngineClient, setMessages } from 'web-mamba';
import { engineMessages } from './base/engine-messages';
import { AddressBar } from './base/view/address-bar';
import { AgreedInTab } from './base/view/agreed';
import { eraseByReload, takeWishToErase } from './base/view/erasing';
import { Install } from './base/view/install';
import { pageFiles } from './base/view/page-files';
import { watchSituation } from './base/view/situation';
import { allowOwnWorkers } from './base/view/trusted-types';
import { openAppDatabase } from './data/app-database';
import { extractInWorker } from './documents/extract/extractor';
import { Controller } from './page/controller';
import { Page } from './page/view/page';
import { PageUpdates } from './page/view/updates';

allowOwnWorkers();
setMessages(engineMessages);
// Before anything of the page has begun, so that nothing of it writes again.
const erased = takeWishToErase() ? ((await (await import('./page/view/erase')).erase()) ? 'all' : 'partly') : undefined;
const engine = new EngineClient();
const surroundings = { database: openAppDatabase(), extract: extractInWorker, updates: new PageUpdates(), agreed: new AgreedInTab(), watchSituation, install: new Install(), files: pageFiles, eraseAll: eraseByReload, erased } as const;
const controller = new Controller(new Page(), engine, new AddressBar(), surroundings);
engine.onCrash((fault) => controller.engineCrashed(fault));
controller.start();
