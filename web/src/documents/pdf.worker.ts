/** pdf.js's worker, which unpacks no more than a text can have. */
import './unpack-limit';
import 'pdfjs-dist/build/pdf.worker.min.mjs';
