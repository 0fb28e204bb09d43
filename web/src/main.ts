/** The page's entry. */
import { openAppDatabase } from './app/app-database';
import { Controller } from './app/controller';
import { extractInWorker } from './documents/extractor';
import { EngineClient } from './engine/client';
import { AddressBar } from './ui/address-bar';
import { Page } from './ui/page';
import { allowOwnWorkers } from './ui/trusted-types';
import { PageUpdates } from './ui/updates';

allowOwnWorkers();
const database = openAppDatabase();
// Whoever uses it says what went wrong; this keeps it from counting as unhandled before that.
database.catch(() => undefined);
const engine = new EngineClient();
const controller = new Controller(new Page(), engine, new AddressBar(), { database, extract: extractInWorker, updates: new PageUpdates() });
engine.onCrash((fault) => controller.engineCrashed(fault));
controller.start();
