import { once } from 'node:events';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { selfSigned } from './certificate.ts';
import { urlHost } from './url-host.ts';

/** Label of a ConfigMap whose creation is held up, in milliseconds. */
export const HOLD_LABEL = 'hold-ms';

export interface SlowWebhook {
  /** The ValidatingWebhookConfiguration that leads to it. */
  readonly configuration: object;
  /** How many it has let through. */
  readonly passed: number;
  stop(): Promise<void>;
}

/** An admission webhook that takes as long as the object's label says: a request in flight of a known length. */
export async function startSlowWebhook(host = '127.0.0.1'): Promise<SlowWebhook> {
  const { cert, key } = await selfSigned(host);
  let passed = 0;
  const server = createServer({ cert, key }, (request, response) => {
    void (async () => {
      let text = '';
      for await (const chunk of request) text += String(chunk);
      const review = JSON.parse(text) as {
        apiVersion: string;
        kind: string;
        request: { uid: string; object: { metadata: { labels?: Record<string, string> } } };
      };
      await sleep(Number(review.request.object.metadata.labels?.[HOLD_LABEL] ?? 0));
      passed += 1;
      response.setHeader('content-type', 'application/json');
      response.end(
        JSON.stringify({
          apiVersion: review.apiVersion,
          kind: review.kind,
          response: { uid: review.request.uid, allowed: true },
        }),
      );
    })();
  });
  server.listen(0, host);
  await once(server, 'listening');
  return {
    configuration: {
      apiVersion: 'admissionregistration.k8s.io/v1',
      kind: 'ValidatingWebhookConfiguration',
      metadata: { name: 'slow' },
      webhooks: [
        {
          name: 'slow.example.org',
          clientConfig: {
            url: `https://${urlHost(host)}:${(server.address() as AddressInfo).port}/`,
            caBundle: Buffer.from(cert).toString('base64'),
          },
          rules: [{ apiGroups: [''], apiVersions: ['v1'], operations: ['CREATE'], resources: ['configmaps'] }],
          objectSelector: { matchExpressions: [{ key: HOLD_LABEL, operator: 'Exists' }] },
          failurePolicy: 'Fail',
          sideEffects: 'None',
          admissionReviewVersions: ['v1'],
          timeoutSeconds: 25,
        },
      ],
    },
    get passed() {
      return passed;
    },
    stop() {
      server.closeAllConnections();
      server.close();
      return Promise.resolve();
    },
  };
}
