import { useRef, useState, type FormEvent } from 'react';
import { MambaError, WebMamba, type ChatMessage, type LoadedModel } from 'web-mamba';

/** A conversation with the model of an address, which is loaded with the first question. */
export function Chat({ source }: { source: string }) {
  const model = useRef<Promise<LoadedModel>>(undefined);
  const [messages, setMessages] = useState<ChatMessage[]>([]);
  const [status, setStatus] = useState('');

  async function ask(event: FormEvent<HTMLFormElement>) {
    event.preventDefault();
    const form = event.currentTarget;
    const asked = [...messages, { role: 'user', content: form.question.value as string }];
    form.reset();
    try {
      model.current ??= WebMamba.load(source, {
        onProgress: ({ phase, loaded, total }) => setStatus(`${phase} ${Math.round((100 * loaded) / (total || Infinity))} %`),
      });
      const loaded = await model.current;
      setStatus('…');
      let content = '';
      for await (const event of loaded.generate(asked)) {
        if (event.type === 'token' || event.type === 'end') setMessages([...asked, { role: 'assistant', content: (content += event.text) }]);
      }
      setStatus('');
    } catch (thrown) {
      const { message, remedy } = MambaError.from(thrown);
      model.current = undefined;
      setStatus(`${message} ${remedy}`);
    }
  }

  return (
    <>
      {messages.map(({ role, content }, at) => <p key={at} className={role}>{content}</p>)}
      <form onSubmit={ask}>
        <input name="question" aria-label="Question" required /> <button>Ask</button> <output>{status}</output>
      </form>
    </>
  );
}
