/** The benchmark page's entry. */
import { BenchController } from './app/bench-controller';
import { EngineClient } from './engine/client';
import { AddressBar } from './ui/address-bar';
import { BenchPage } from './ui/bench-page';

new BenchController(new BenchPage(), new EngineClient(), new AddressBar()).start();
