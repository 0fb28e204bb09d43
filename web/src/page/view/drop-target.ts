/** The whole page takes files that are dropped on it, and shows that it does: models to open, and documents to read. */
import { Emitter } from '../../base/emitter';
import { failure, type MambaError } from '../../base/failure';
import type { ChosenFiles } from '../../base/files';
import { droppedFiles } from '../../base/view/local-files';

const MODEL = /\.gguf$/i;

export class DropTarget extends Emitter<{ models: ChosenFiles; documents: File[]; failed: MambaError }> {
  constructor(container: HTMLElement) {
    super();
    const mark = (over: boolean) => container.classList.toggle('dropping', over);
    container.addEventListener('dragover', (event) => {
      if (!event.dataTransfer?.types.includes('Files')) return;
      event.preventDefault();
      mark(true);
    });
    container.addEventListener('dragleave', (event) => event.relatedTarget === null && mark(false));
    container.addEventListener('drop', (event) => {
      mark(false);
      const data = event.dataTransfer;
      if (!data?.types.includes('Files')) return;
      event.preventDefault();
      const files = [...data.files];
      const documents = files.filter(({ name }) => !MODEL.test(name));
      if (documents.length > 0) this.emit('documents', documents);
      else {
        droppedFiles(data).then(
          (chosen) => chosen.files.length > 0 && this.emit('models', chosen),
          (thrown: unknown) => this.emit('failed', failure('files-refused', {}, String(thrown))),
        );
      }
    });
  }
}
