import { WebMamba } from './web-mamba/dist/cdn/web-mamba.js';

const form = document.querySelector('form');
const output = document.querySelector('output');
const messages = [];
const loading = WebMamba.load('https://example.org/models/model.gguf', {
  onProgress: ({ phase, loaded }) => (output.textContent = `${phase} ${(loaded / 1e6).toFixed(0)} MB`),
});

form.addEventListener('submit', async (event) => {
  event.preventDefault();
  messages.push({ role: 'user', content: form.question.value });
  let content = '';
  try {
    const model = await loading;
    for await (const { type, text } of model.generate(messages)) {
      if (type === 'token' || type === 'end') output.textContent = content += text;
    }
    messages.push({ role: 'assistant', content });
  } catch ({ message, remedy = '' }) {
    output.textContent = `${message} ${remedy}`;
  }
});
