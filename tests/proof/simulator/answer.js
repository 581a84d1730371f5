// Answers what iam-simulate allows: one JSON list of questions per line of standard input, one JSON
// list of answers per line of output. It ends with its standard input.

import { createInterface } from 'node:readline'
import { runSimulation } from '@cloud-copilot/iam-simulate'

const ACCOUNT = '123456789012'

const named = (name, text) => (text ? [{ name, policy: JSON.parse(text) }] : undefined)

// AWS's default key policy: a key trusts the policies of its own account.
const KEY_POLICY = {
  Version: '2012-10-17',
  Statement: [
    {
      Effect: 'Allow',
      Principal: { AWS: `arn:aws:iam::${ACCOUNT}:root` },
      Action: 'kms:*',
      Resource: '*'
    }
  ]
}

// true or false; a sentence when the request or a policy is found not to be valid.
async function answer(question) {
  const result = await runSimulation(
    {
      request: {
        principal: `arn:aws:sts::${ACCOUNT}:assumed-role/upload/session`,
        action: question.action,
        resource: { resource: question.resource, accountId: ACCOUNT },
        contextVariables: question.context
      },
      sessionPolicy: question.session ? JSON.parse(question.session) : undefined,
      identityPolicies: named('role', question.role),
      permissionBoundaryPolicies: named('boundary', question.boundary),
      resourcePolicy: question.action.startsWith('kms:') ? KEY_POLICY : undefined,
      serviceControlPolicies: [],
      resourceControlPolicies: []
    },
    {}
  )
  if (result.resultType === 'error') return JSON.stringify(result.errors)
  return result.overallResult === 'Allowed'
}

for await (const line of createInterface({ input: process.stdin })) {
  const answers = []
  for (const question of JSON.parse(line)) answers.push(await answer(question))
  process.stdout.write(JSON.stringify(answers) + '\n')
}
