/** The benchmark page's entry. */
import { EngineClient, setMessages } from 'web-mamba';
import { engineMessages } from './base/engine-messages';
import { AddressBar } from './base/view/address-bar';
import { AgreedInTab } from './base/view/agreed';
import { allowOwnWorkers } from './base/view/trusted-types';
import { BenchController } from './bench/bench-controller';
import { BenchPage } from './bench/view/bench-page';

allowOwnWorkers();
setMessages(engineMessages);
new BenchController(new BenchPage(), new EngineClient(), new AddressBar(), new AgreedInTab()).start();
