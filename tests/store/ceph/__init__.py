"""Ceph's RADOS Gateway as a throwaway S3, STS and IAM server on loopback, for the store suite."""
