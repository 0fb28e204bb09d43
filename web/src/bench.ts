/** The benchmark page's entry. */
import { BenchController } from './app/bench-controller';
import { EngineClient } from 'web-mamba';
import { AddressBar } from './ui/address-bar';
import { AgreedInTab } from './ui/agreed';
import { BenchPage } from './ui/bench-page';
import { allowOwnWorkers } from './ui/trusted-types';

allowOwnWorkers();
new BenchController(new BenchPage(), new EngineClient(), new AddressBar(), new AgreedInTab()).start();
