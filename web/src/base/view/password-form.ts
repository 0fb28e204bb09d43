/** Asks for the password of a file, which is used once and kept nowhere. */
import { html, type TemplateResult } from 'lit-html';

interface Words {
  label: string;
  open: string;
}

export function passwordForm({ label, open }: Words, onPassword: (password: string) => void): TemplateResult {
  const onSubmit = (event: Event) => {
    event.preventDefault();
    const form = event.target as HTMLFormElement;
    const password = String(new FormData(form).get('password') ?? '');
    form.reset();
    if (password !== '') onPassword(password);
  };
  return html`
    <form class="password" @submit=${onSubmit}>
      <input class="text-field" type="password" name="password" required autocomplete="off" data-testid="password" aria-label=${label} placeholder=${label} />
      <button type="submit" class="button" data-testid="unlock">${open}</button>
    </form>`;
}
