"""A real S3-compatible server for tests: moto, with signatures checked and Object Lock enforced.

Prints one line of JSON once it can be used, then answers one line of JSON per line of JSON on its standard input:
{"do": "list"}, {"do": "delete", "key": …, "version": …, "bypass": true}, {"do": "put", "key": …, "body": …}. Each is asked with boto3, as an attacker with the account's keys would.
"""

import json
import os
import sys

# The first requests make the account; from then on every request needs a valid signature.
os.environ["INITIAL_NO_AUTH_ACTION_COUNT"] = "4"

import boto3
import logging
from botocore.exceptions import ClientError
from moto.server import ThreadedMotoServer

logging.getLogger("werkzeug").setLevel(logging.ERROR)
BUCKET = "checkpoints"


def main():
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    endpoint = f"http://{host}:{port}"

    def client(service, access="any", secret="any"):
        return boto3.client(
            service, endpoint_url=endpoint, region_name="us-east-1",
            aws_access_key_id=access, aws_secret_access_key=secret,
        )

    iam = client("iam")
    iam.create_user(UserName="collector")
    policy = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
    arn = iam.create_policy(PolicyName="all", PolicyDocument=json.dumps(policy))["Policy"]["Arn"]
    iam.attach_user_policy(UserName="collector", PolicyArn=arn)
    key = iam.create_access_key(UserName="collector")["AccessKey"]
    s3 = client("s3", key["AccessKeyId"], key["SecretAccessKey"])
    s3.create_bucket(Bucket=BUCKET, ObjectLockEnabledForBucket=True)
    s3.create_bucket(Bucket="plain")
    say({"endpoint": endpoint, "access": key["AccessKeyId"], "secret": key["SecretAccessKey"]})
    for line in sys.stdin:
        try:
            say({"ok": act(s3, json.loads(line))})
        except ClientError as error:
            say({"refused": error.response["Error"]["Code"]})
    server.stop()


def act(s3, asked):
    key, version = asked.get("key"), asked.get("version")
    if asked["do"] == "list":
        found = s3.list_object_versions(Bucket=BUCKET)
        return {
            "versions": [[it["Key"], it["VersionId"]] for it in found.get("Versions", [])],
            "markers": len(found.get("DeleteMarkers", [])),
        }
    if asked["do"] == "delete":
        s3.delete_object(
            Bucket=BUCKET, Key=key, VersionId=version, BypassGovernanceRetention=asked.get("bypass", False)
        )
    elif asked["do"] == "put":
        s3.put_object(Bucket=BUCKET, Key=key, Body=asked["body"].encode(), IfNoneMatch="*")
    else:
        raise SystemExit(f"unknown: {asked}")
    return True


def say(value):
    print(json.dumps(value), flush=True)


main()
