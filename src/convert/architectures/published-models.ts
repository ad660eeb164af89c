import { failure } from '../../core/errors.ts';
import type { TextSizes } from './text-sizes.ts';
import type { VisionSizes } from './vision-sizes.ts';

interface VisionModel {
  readonly width: number;
  readonly layers?: number;
  readonly patch?: number;
  readonly blocks?: readonly number[];
  readonly size?: number;
}

/** Towers that were published, under the names that the reference code's configuration files have. */
const VISION_MODELS: Readonly<Record<string, VisionModel>> = {
  'ViT-B-32': { width: 768, layers: 12, patch: 32 },
  'ViT-B-16': { width: 768, layers: 12, patch: 16 },
  'ViT-L-14-336': { width: 1024, layers: 24, patch: 14, size: 336 },
  'ViT-L-14': { width: 1024, layers: 24, patch: 14 },
  'ViT-H-14': { width: 1280, layers: 32, patch: 14 },
  RN50: { width: 64, blocks: [3, 4, 6, 3] },
};

const TEXT_MODELS: Readonly<Record<string, { width: number; layers: number }>> = {
  'RoBERTa-wwm-ext-base-chinese': { width: 768, layers: 12 },
  'RoBERTa-wwm-ext-large-chinese': { width: 1024, layers: 24 },
  'RBT3-chinese': { width: 768, layers: 3 },
};

/** The two towers of a model, as far as published models differ in them. */
export interface Towers {
  readonly vision: VisionSizes;
  readonly text: Pick<TextSizes, 'width' | 'layers'>;
}

/** Such as `uniclip ViT-B-16 + RoBERTa-wwm-ext-base-chinese`; sizes where no published model has them. */
export function describeTowers(family: string, { vision, text }: Towers): string {
  const visionName =
    find(VISION_MODELS, (model) => matchesVision(model, vision) && (model.size ?? vision.size) === vision.size) ??
    sizesOfVision(vision);
  const textName = find(TEXT_MODELS, (model) => matchesText(model, text)) ?? sizesOfText(text);
  return `${family} ${visionName} + ${textName}`;
}

/** Throws `invalid_checkpoint` when a model that the caller named has other sizes than the weights. */
export function assertNamedModels(
  { vision, text }: Towers,
  named: { readonly vision: string | undefined; readonly text: string | undefined },
): void {
  if (named.vision !== undefined) {
    const model = lookUpModel(VISION_MODELS, named.vision, '--vision-model');
    if (!matchesVision(model, vision)) mismatch(named.vision, sizesOfVision(vision));
    if ((model.size ?? vision.size) !== vision.size)
      mismatch(named.vision, `${sizesOfVision(vision)} for ${vision.size} pixels`);
  }
  if (named.text !== undefined) {
    const model = lookUpModel(TEXT_MODELS, named.text, '--text-model');
    if (!matchesText(model, text)) mismatch(named.text, sizesOfText(text));
  }
}

function lookUpModel<M>(models: Readonly<Record<string, M>>, name: string, option: string): M {
  const model = Object.hasOwn(models, name) ? models[name] : undefined;
  if (model !== undefined) return model;
  throw failure('invalid_config', `${option} ${name} is unknown; known are ${Object.keys(models).join(', ')}.`);
}

function mismatch(named: string, found: string): never {
  throw failure('invalid_checkpoint', `The checkpoint is no ${named}: its weights have the sizes of ${found}.`);
}

function matchesVision(model: VisionModel, vision: VisionSizes): boolean {
  if (vision.kind === 'resnet') return model.width === vision.width && model.blocks?.join() === vision.blocks.join();
  return model.width === vision.width && model.layers === vision.layers && model.patch === vision.patch;
}

function sizesOfVision(vision: VisionSizes): string {
  if (vision.kind === 'resnet') return `ResNet-${vision.width}x[${vision.blocks.join(', ')}]`;
  return `ViT-${vision.width}x${vision.layers}/${vision.patch}`;
}

function sizesOfText({ width, layers }: Towers['text']): string {
  return `BERT-${width}x${layers}`;
}

function matchesText(model: { width: number; layers: number }, text: Towers['text']): boolean {
  return model.width === text.width && model.layers === text.layers;
}

function find<M>(models: Readonly<Record<string, M>>, matches: (model: M) => boolean): string | undefined {
  return Object.entries(models).find(([, model]) => matches(model))?.[0];
}
