import { createRoot } from 'react-dom/client';
import { Chat } from './chat';

const main = document.querySelector('main');
if (main) createRoot(main).render(<Chat source="https://example.org/models/model.gguf" />);
