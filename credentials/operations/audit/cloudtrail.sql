-- The records of AWS CloudTrail that may be about our upload roles, their policies, their sessions or
-- our buckets, for Amazon Athena. Whether one is, and whether that is wrong, manage.py
-- audit_cloudtrail decides. To run it by hand, put in for the question marks, in single quotes:
-- first and last day of delivery (2026/10/31), begin and end of the events' times
-- (2026-10-31T12:00:00Z), and the names of all roles, managed policies and buckets in one text,
-- with a space between two.
SELECT
    eventid,
    sharedeventid,
    eventtime,
    eventsource,
    eventname,
    useridentity.type AS identitytype,
    useridentity.principalid AS principalid,
    useridentity.arn AS arn,
    useridentity.accesskeyid AS accesskeyid,
    useridentity.invokedby AS invokedby,
    sourceipaddress,
    errorcode,
    errormessage,
    recipientaccountid,
    requestparameters,
    -- Of the answer this alone: beside it may be a session token.
    json_extract_scalar(responseelements, '$.credentials.accessKeyId') AS issuedkeyid
FROM cloudtrail_logs
WHERE "timestamp" BETWEEN ? AND ?
  AND eventtime >= ?
  AND eventtime < ?
  AND arrays_overlap(
    split(?, ' '),
    ARRAY[
        -- Whose session calls.
        regexp_extract(useridentity.arn, ':assumed-role/(.+)/', 1),
        -- Which role is assumed; where that is refused, the message alone may name it.
        regexp_extract(json_extract_scalar(requestparameters, '$.roleArn'), '[^/]+$'),
        regexp_extract(errormessage, ':role/([^ ]*/)?([^ /]+)', 2),
        -- What is changed. What others do to objects is left out, but for sessions of another
        -- account's role, which have no ARN here.
        json_extract_scalar(requestparameters, '$.roleName'),
        regexp_extract(json_extract_scalar(requestparameters, '$.policyArn'), '[^/]+$'),
        CASE
            WHEN eventname LIKE '%Bucket%' OR useridentity.type = 'AWSAccount'
            THEN json_extract_scalar(requestparameters, '$.bucketName')
        END
    ]
  )
-- Calls of one session together: so a bounded number of sessions is in memory.
ORDER BY eventtime
