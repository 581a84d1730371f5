# `ruby ruby_tree.rb FOLDER BUCKET ROOT`: a tree with the SDK for Ruby.
require "aws-sdk-s3"

folder, bucket, root = ARGV
s3 = Aws::S3::Resource.new(endpoint: ENV["AWS_ENDPOINT_URL"], force_path_style: true)
Dir.glob("**/*", File::FNM_DOTMATCH, base: folder).each do |name|
  path = File.join(folder, name)
  s3.bucket(bucket).object("#{root}/#{name}").upload_file(path) if File.file?(path)
end
