import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readCaptions, selectImages } from '../../../src/eval/judgements/captions.ts';
import { bytesOf } from '../fixtures.ts';

const read = (text: string, split?: string) => {
  const { format, images, texts, imageOf, problems } = readCaptions(bytesOf(text), 'captions', split);
  return {
    format,
    images,
    texts,
    imageOf: [...imageOf],
    problems: problems.map(({ problem, lines }) => [problem, lines]),
  };
};

test('CCMB: one JSON object a line, an image may come back', () => {
  assert.deepEqual(
    read(
      '{"text":"一","image_path":"x/a.jpg"}\n{"text":"二","image_path":"b.jpg"}\n{"text":"三","image_path":"a.jpg"}\n{"text":1}\n',
    ),
    {
      format: 'json',
      images: ['a.jpg', 'b.jpg'],
      texts: ['一', '二', '三'],
      imageOf: [0, 1, 0],
      problems: [['missing_columns', [4]]],
    },
  );
});

test('Flickr30k: image number and caption', () => {
  assert.deepEqual(read('100#0\t一\n100#1\t 二 \n200.jpg#0\t三\nbroken\n'), {
    format: 'flickr',
    images: ['100.jpg', '200.jpg'],
    texts: ['一', '二', '三'],
    imageOf: [0, 0, 1],
    problems: [['missing_columns', [4]]],
  });
});

test('COCO: images in their own order, and only those with a caption', () => {
  const document = {
    images: [
      { id: 7, file_name: 'seven.jpg' },
      { id: 9, file_name: 'nine.jpg' },
      { id: 8, file_name: 'eight.jpg' },
    ],
    annotations: [
      { image_id: 8, caption: 'e1' },
      { image_id: 7, caption: 's1' },
      { image_id: 8, caption: 'e2 ' },
    ],
  };
  assert.deepEqual(read(JSON.stringify(document, null, 2)), {
    format: 'coco',
    images: ['seven.jpg', 'eight.jpg'],
    texts: ['s1', 'e1', 'e2'],
    imageOf: [0, 1, 1],
    problems: [],
  });
});

test("Karpathy's splits: only the one that is asked for", () => {
  const image = (filename: string, split: string) => ({ filename, split, sentences: [{ raw: `${filename} 1` }] });
  const document = JSON.stringify({ images: [image('a.jpg', 'train'), image('b.jpg', 'test')] });
  assert.deepEqual(read(document, 'test').images, ['b.jpg']);
  assert.equal(read(document).images.length, 2);
  assert.throws(() => read(document, 'restval'), /no usable caption/);
});

test('a part of the images brings its own texts along', () => {
  const captions = readCaptions(bytesOf('1#0\ta\n2#0\tb\n1#1\tc\n3#0\td\n'), 'captions');
  const { captions: part, texts } = selectImages(captions, 0, 2);
  assert.deepEqual(part.texts, ['a', 'b', 'c']);
  assert.deepEqual([...texts], [0, 1, 2]);
  const last = selectImages(captions, 2, 3);
  assert.deepEqual([last.captions.images, [...last.captions.imageOf], [...last.texts]], [['3.jpg'], [0], [3]]);
});
