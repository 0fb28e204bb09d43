/** pdf.js's worker, which unpacks no more than a text can have, and keeps what joins words. */
import './keep-soft-hyphens';
import './unpack-limit';
import 'pdfjs-dist/build/pdf.worker.min.mjs';
