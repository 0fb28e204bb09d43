/** The page's entry. */
import { Controller } from './app/controller';
import { EngineClient } from './engine/client';
import { AddressBar } from './ui/address-bar';
import { Page } from './ui/page';

new Controller(new Page(), new EngineClient(), new AddressBar()).start();
