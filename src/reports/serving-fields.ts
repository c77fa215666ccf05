/** A task in which a model is served, as fields of an embed. */
import type { APIEmbedField } from 'discord-api-types/v10';
import type { ServingDefinition } from '../domain/serving-task.ts';
import { code, codeBlock, cut } from './markdown.ts';

export function servingFields(serving: ServingDefinition): APIEmbedField[] {
  const { engine, installTimeoutS, startupTimeoutS, gateTimeoutS, benchmarkTimeoutS } = serving;
  const shapes = serving.shapes.map(
    (shape) => `${shape.numPrompts} prompts, ${shape.inputLen} tokens in, ${shape.outputLen} out`,
  );
  return [
    { name: 'Model', value: cut(code(serving.modelName), 200), inline: true },
    {
      name: 'Engine',
      value: `${code(engine.name)}, ${serving.tensorParallel} ${serving.tensorParallel === 1 ? 'GPU' : 'GPUs'}`,
      inline: true,
    },
    {
      name: 'Your archive',
      value:
        engine.package === null
          ? 'the engine, with an executable `serve` at its top'
          : `your fork, as ${code(`${engine.package}-fork/${engine.package}/`)}`,
      inline: true,
    },
    { name: `Shapes (${shapes.length})`, value: codeBlock(cut(shapes.join('\n'), 600), 700) },
    { name: 'Gate', value: gateText(serving) },
    ...(serving.arguments.length > 0
      ? [{ name: 'Arguments of the server', value: codeBlock(cut(serving.arguments.join(' '), 300), 400) }]
      : []),
    {
      name: 'Limits',
      value: `install ${installTimeoutS} s, start ${startupTimeoutS} s, gate ${gateTimeoutS} s, each shape ${benchmarkTimeoutS} s`,
    },
  ];
}

function gateText(serving: ServingDefinition): string {
  const own = `Perplexity within ${percent(serving.tolerance)} of ${serving.baseline}.`;
  const when = {
    ranked: ' Ranked runs are also held against the pristine engine, on secret prompts.',
    strong: ' Every run is also held against the pristine engine, on secret prompts.',
    compatible: '',
  };
  return own + when[serving.gate];
}

function percent(share: number): string {
  return `${Number((share * 100).toPrecision(3))} %`;
}
