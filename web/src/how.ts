/** The entry of the page that explains. */
import { EngineClient, setMessages } from 'web-mamba';
import { engineMessages } from './base/engine-messages';
import { AddressBar } from './base/view/address-bar';
import { allowOwnWorkers } from './base/view/trusted-types';
import { HowController } from './how/how-controller';
import { HowPage } from './how/view/how-page';

allowOwnWorkers();
setMessages(engineMessages);
new HowController(new HowPage(), () => new EngineClient(), new AddressBar()).start();
