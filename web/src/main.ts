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
new Controller(new Page(), new EngineClient(), new AddressBar(), { database: openAppDatabase(), extract: extractInWorker, updates: new PageUpdates() }).start();
