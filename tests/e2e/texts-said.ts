/** What an answer may hold, for people to look at: tasks, tables, pictures, formulas, texts that run from the right. */
export const TEXTS: [question: string, answer: string][] = [
  ['What is left to do?\nמה נשאר לעשות?', [
    '- [x] Measure the **prefill**\n- [ ] Write it down\n\n  with a second paragraph\n- An item without a box',
    '| Model | Size | Rate |\n|:------|:----:|-----:|\n| Demo | 31M | 43.2 |\n| Falcon-Mamba | 7B | 1.1 |',
    'See ![chart of sales](https://example.org/chart.png) here, <b>not bold</b>, and www.example.org.',
  ].join('\n\n')],
  ['And the formulas?', [
    'Euler’s identity is \\(e^{i\\pi} + 1 = 0\\), and $x_1, \\dots, x_n$ are numbers; it costs $5 and not $10.',
    '\\[\nh_t = \\bar{A} h_{t-1} + \\bar{B} x_t, \\qquad y_t = C^\\top h_t\n\\]',
    '$$\\int_0^\\infty e^{-x^2}\\,dx = \\frac{\\sqrt{\\pi}}{2} \\qquad \\begin{pmatrix} a & b \\\\ c & d \\end{pmatrix}$$',
    'A formula that can’t be read: \\(\\frac{a}{\\).',
  ].join('\n\n')],
  ['ومن اليمين؟', [
    '## שלום עולם',
    'هذا نص عربي مع `code(a, b)` وكلمة English في الوسط، ومعادلة \\(a^2 + b^2\\).',
    '1. פריט ראשון\n2. פריט שני\n   - תת פריט\n   - [x] נעשה\n   - [ ] לעשות',
    '> ציטוט בעברית, עם סימן קריאה!',
    '| שם | מספר |\n|:--|--:|\n| אלף | 1 |\n| בית | 22 |',
    '```js\nconst greeting = "שלום";\n```',
    'An English paragraph with עברית in it.',
  ].join('\n\n')],
];
