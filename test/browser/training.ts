// Mission 1 in small, for the page and for Node: the same losses are expected.

export async function losses(tenon: typeof import('../../src/index.ts')): Promise<number[]> {
  const { compile, F, makeShape, manualSeed, randn, SGD, zeros } = tenon;
  manualSeed(0);
  const { x, y } = makeShape('circle', 512);
  const layer = (i: number, o: number) => ({
    weight: randn([o, i])
      .mul(Math.sqrt(2 / i))
      .realize()
      .requiresGrad_(),
    bias: zeros(o, { requiresGrad: true }),
  });
  const layers = [layer(2, 4), layer(4, 4), layer(4, 2)] as const;
  const optimizer = new SGD(
    layers.flatMap(l => [l.weight, l.bias]),
    { lr: 0.2 },
  );
  const step = compile((points: typeof x, labels: typeof y) => {
    optimizer.zeroGrad();
    const h = F.linear(points, layers[0].weight, layers[0].bias).relu();
    const k = F.linear(h, layers[1].weight, layers[1].bias).relu();
    const loss = F.crossEntropy(F.linear(k, layers[2].weight, layers[2].bias), labels);
    loss.backward();
    optimizer.step();
    return loss;
  });
  const out: number[] = [];
  for (let i = 0; i < 200; i++) out.push(await step(x, y).item());
  return out;
}
