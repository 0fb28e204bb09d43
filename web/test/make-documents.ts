/** Real documents, made by other people's tools: PDF by pdfkit, DOCX by docx, EPUB by epub-gen-memory. */
import { Document, HeadingLevel, Packer, Paragraph, Table, TableCell, TableRow, TextRun } from 'docx';
import { EPub } from 'epub-gen-memory';
// @ts-expect-error a package without types
import PDFDocument from 'pdfkit';

export interface Chapter {
  title: string;
  paragraphs: string[];
}

export const CHAPTERS: readonly Chapter[] = [
  {
    title: 'The harbour',
    paragraphs: [
      'Port Wenlow lies at the mouth of the river Tarn. Its harbour was built in 1874 from grey granite, and 212 boats are registered there today.',
      'Every morning at six the fishing boats leave for the banks in the north. They return before dusk with herring and mackerel, which are sold on the quay.',
    ],
  },
  {
    title: 'The lighthouse',
    paragraphs: [
      'The lighthouse on the eastern cliff is 41 metres high. Its first keeper was Maria Ostrander, who kept the lamp for thirty-three years.',
      'In 1962 the oil lamp was replaced by an electric one — “a colder light”, as the keeper’s daughter said — and in 1989 the last keeper left.',
    ],
  },
  {
    title: 'The railway',
    paragraphs: [
      'A narrow railway once carried slate from the quarries to the harbour. It was closed in 1951, and its track is now a path for walkers and cyclists.',
      'The old station serves soup and bread from April to October. Tickets for the museum train cost 7 euros, and children under six ride free.',
    ],
  },
];

/** Enough for several sections of a small model: the same chapters with other numbers, as reports of many years have. */
export function longChapters(years: number): Chapter[] {
  return Array.from({ length: years }, (_, index) => ({
    title: `Report of ${1990 + index}`,
    paragraphs: [
      `In ${1990 + index} the harbour of Port Wenlow counted ${200 + index * 3} boats. The herring catch was ${410 + index * 7} tonnes, and the mackerel catch ${120 + index * 5} tonnes.`,
      `The council spent ${30 + index} thousand euros on the eastern quay and planted ${12 + index} lime trees along the road to the station. The lighthouse was painted white.`,
      `The school had ${88 + index} pupils. In autumn a storm from the north-west closed the ferry for ${2 + (index % 5)} days, and nobody was hurt.`,
    ],
  }));
}

export async function pdf(chapters: readonly Chapter[]): Promise<Buffer> {
  const made = new PDFDocument({ size: 'A5', margin: 50 });
  const parts: Buffer[] = [];
  made.on('data', (part: Buffer) => parts.push(part));
  const ended = new Promise((resolve) => made.on('end', resolve));
  chapters.forEach(({ title, paragraphs }, index) => {
    if (index > 0) made.addPage();
    made.font('Helvetica-Bold').fontSize(16).text(title).moveDown();
    made.font('Times-Roman').fontSize(11);
    for (const paragraph of paragraphs) made.text(paragraph).moveDown();
  });
  made.end();
  await ended;
  return Buffer.concat(parts);
}

/** Some pages with text, and others that are pictures. */
export async function partlyScannedPdf(text: string): Promise<Buffer> {
  const made = new PDFDocument();
  const parts: Buffer[] = [];
  made.on('data', (part: Buffer) => parts.push(part));
  const ended = new Promise((resolve) => made.on('end', resolve));
  made.text(text);
  for (let page = 0; page < 2; page += 1) made.addPage().rect(100, 100, 200, 200).fill('grey');
  made.end();
  await ended;
  return Buffer.concat(parts);
}

/** A page with a drawing and no text, as scans are. */
export async function emptyPdf(): Promise<Buffer> {
  const made = new PDFDocument();
  const parts: Buffer[] = [];
  made.on('data', (part: Buffer) => parts.push(part));
  const ended = new Promise((resolve) => made.on('end', resolve));
  made.rect(100, 100, 200, 200).fill('grey');
  made.end();
  await ended;
  return Buffer.concat(parts);
}

export const LOCKED_PASSWORD = 'secret';

export async function lockedPdf(): Promise<Buffer> {
  const made = new PDFDocument({ userPassword: LOCKED_PASSWORD, ownerPassword: 'owner' });
  const parts: Buffer[] = [];
  made.on('data', (part: Buffer) => parts.push(part));
  const ended = new Promise((resolve) => made.on('end', resolve));
  made.text('Nobody reads this.');
  made.end();
  await ended;
  return Buffer.concat(parts);
}

export async function docx(chapters: readonly Chapter[]): Promise<Buffer> {
  const children = chapters.flatMap(({ title, paragraphs }) => [
    new Paragraph({ text: title, heading: HeadingLevel.HEADING_1 }),
    ...paragraphs.map((text) => new Paragraph({ children: [new TextRun(text)] })),
  ]);
  const row = (...cells: string[]) => new TableRow({ children: cells.map((text) => new TableCell({ children: [new Paragraph(text)] })) });
  const table = new Table({ rows: [row('Boat', 'Length'), row('Alba', '12 m'), row('Petrel', '9 m')] });
  return Packer.toBuffer(new Document({ sections: [{ children: [...children, table] }] }));
}

export async function epub(chapters: readonly Chapter[]): Promise<Buffer> {
  const content = chapters.map(({ title, paragraphs }) => ({ title, content: paragraphs.map((text) => `<p>${text}</p>`).join('') }));
  // Its fonts and pictures would be downloaded; there are none.
  return new EPub({ title: 'Port Wenlow', author: 'A. Tester', tocTitle: 'Contents', version: 3 }, content).genEpub();
}

export function html(chapters: readonly Chapter[]): string {
  const body = chapters.map(({ title, paragraphs }) => `<h2>${title}</h2>${paragraphs.map((text) => `<p>${text.replace('“', '&ldquo;')}</p>`).join('\n')}`);
  return `<!doctype html><html><head><title>x</title><style>p{color:red}</style><script>alert(1)</script></head><body><nav>Home</nav>${body.join('')}
    <ul><li>one</li><li>two</li></ul><table><tr><th>Boat</th><th>Length</th></tr><tr><td>Alba</td><td>12 m</td></tr></table></body></html>`;
}

export function markdown(chapters: readonly Chapter[]): string {
  return chapters.map(({ title, paragraphs }) => `## ${title}\n\n${paragraphs.join('\n\n')}`).join('\n\n');
}
