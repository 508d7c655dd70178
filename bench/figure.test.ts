import { describe, expect, it } from 'vitest';
import { figure, median } from './figure.ts';

describe('the median', () => {
  it('is the middle value, whatever the order, or the mean of the two in the middle', () => {
    expect(median([3, 1, 2])).toBe(2);
    expect(median([10, 1])).toBe(5.5);
    expect(median([4, 100, 1, 2])).toBe(3);
    expect(median([7])).toBe(7);
    expect(median([])).toBeNaN();
  });

  it('sorts numbers as numbers and leaves its argument alone', () => {
    const values = [10, 9, 100];
    expect(median(values)).toBe(10);
    expect(values).toEqual([10, 9, 100]);
  });
});

describe('a figure', () => {
  it('has the median of each side, and the median of the ratios of the rounds, which is not the ratio of the medians', () => {
    const rounds = [
      { product: 2, floor: 1 },
      { product: 30, floor: 10 },
      { product: 4, floor: 4 },
    ];
    expect(figure('launch.true', 'ms', rounds)).toEqual({ name: 'launch.true', product: 4, floor: 4, ratio: 2, unit: 'ms', rounds: 3 });
  });

  it('has exactly six members, in the order in which they are printed, with four significant digits', () => {
    const text = JSON.stringify(figure('push.stored', 'ms', [{ product: 123.456, floor: 77.7777 }]));
    expect(text).toBe('{"name":"push.stored","product":123.5,"floor":77.78,"ratio":1.587,"unit":"ms","rounds":1}');
  });
});
