/** The page's entry. */
import { openAppDatabase } from './app/app-database';
import { Controller } from './app/controller';
import { extractInWorker } from './documents/extractor';
import { EngineClient } from 'web-mamba';
import { AddressBar } from './ui/address-bar';
import { AgreedInTab } from './ui/agreed';
import { Page } from './ui/page';
import { allowOwnWorkers } from './ui/trusted-types';
import { PageUpdates } from './ui/updates';

allowOwnWorkers();
const engine = new EngineClient();
const surroundings = { database: openAppDatabase(), extract: extractInWorker, updates: new PageUpdates(), agreed: new AgreedInTab() };
const controller = new Controller(new Page(), engine, new AddressBar(), surroundings);
engine.onCrash((fault) => controller.engineCrashed(fault));
controller.start();
