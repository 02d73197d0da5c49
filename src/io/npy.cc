#include "io/npy.h"

#include <string>

#include "base/check.h"
#include "base/format.h"

namespace tandem {

Result<NpyWriter> NpyWriter::Create(const std::filesystem::path& path,
                                    const std::vector<std::size_t>& shape) {
  std::string dims;
  std::size_t values = 1;
  for (const std::size_t dim : shape) {
    dims += Format("{},", dim);
    values *= dim;
  }
  std::string header = Format("{{'descr': '<f4', 'fortran_order': False, 'shape': ({}), }}", dims);
  // Magic, version, length and header together are a multiple of 64 bytes, padded with spaces
  // before the newline.
  constexpr std::size_t kPrefix = 10;
  while ((kPrefix + header.size() + 1) % 64 != 0) {
    header += ' ';
  }
  header += '\n';
  std::string start("\x93NUMPY\x01\x00", 8);
  start += static_cast<char>(header.size() % 256);
  start += static_cast<char>(header.size() / 256);
  TANDEM_ASSIGN_OR_RETURN(AtomicFileWriter file, AtomicFileWriter::Create(path));
  TANDEM_RETURN_IF_ERROR(file.Write(start + header));
  return NpyWriter(std::move(file), values);
}

Status NpyWriter::Append(std::span<const float> values) {
  TANDEM_CHECK(values.size() <= missing_, "more values than the shape has");
  missing_ -= values.size();
  return file_.Write(std::as_bytes(values));
}

Status NpyWriter::Finish() {
  TANDEM_CHECK(missing_ == 0, "fewer values than the shape has");
  return file_.Commit();
}

}  // namespace tandem
