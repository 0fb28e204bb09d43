/** The page's entry. */
import { EngineClient, setMessages } from 'web-mamba';
import { engineMessages } from './base/engine-messages';
import { AddressBar } from './base/view/address-bar';
import { AgreedInTab } from './base/view/agreed';
import { watchSituation } from './base/view/situation';
import { allowOwnWorkers } from './base/view/trusted-types';
import { openAppDatabase } from './data/app-database';
import { extractInWorker } from './documents/extract/extractor';
import { Controller } from './page/controller';
import { Page } from './page/view/page';
import { PageUpdates } from './page/view/updates';

allowOwnWorkers();
setMessages(engineMessages);
const engine = new EngineClient();
const surroundings = { database: openAppDatabase(), extract: extractInWorker, updates: new PageUpdates(), agreed: new AgreedInTab(), watchSituation };
const controller = new Controller(new Page(), engine, new AddressBar(), surroundings);
engine.onCrash((fault) => controller.engineCrashed(fault));
controller.start();
