import { Chat } from './chat';

/** It is rendered on the server, which thereby imports the package: nothing of a browser is touched before the first call. */
export default function Page() {
  return <main><Chat source="https://example.org/models/model.gguf" /></main>;
}
