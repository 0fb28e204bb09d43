'use client';

import { useRef, useState } from 'react';
import { WebMamba } from 'web-mamba';

/** A conversation with the model of an address, which is loaded with the first question. */
export function Chat({ source }) {
  const model = useRef();
  const [messages, setMessages] = useState([]);
  const [status, setStatus] = useState('');

  async function ask(event) {
    event.preventDefault();
    const form = event.currentTarget;
    const asked = [...messages, { role: 'user', content: form.question.value }];
    form.reset();
    try {
      model.current ??= WebMamba.load(source, { onProgress: ({ phase, loaded }) => setStatus(`${phase} ${(loaded / 1e6).toFixed(0)} MB`) });
      const loaded = await model.current;
      setStatus('…');
      let content = '';
      for await (const { type, text } of loaded.generate(asked)) {
        if (type === 'token' || type === 'end') setMessages([...asked, { role: 'assistant', content: (content += text) }]);
      }
      setStatus('');
    } catch ({ message, remedy = '' }) {
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
