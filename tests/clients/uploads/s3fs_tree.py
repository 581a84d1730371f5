"""`python s3fs_tree.py FOLDER BUCKET ROOT`: a tree with s3fs, which finds credentials itself."""

import sys

import s3fs

folder, bucket, root = sys.argv[1:]
s3fs.S3FileSystem().put(f"{folder}/", f"{bucket}/{root}/", recursive=True)
