#include "gguf/writer.h"

#include <bit>
#include <cstring>
#include <optional>
#include <string_view>
#include <unordered_set>

#include "base/checked.h"
#include "base/format.h"
#include "gguf/reader.h"
#include "io/file.h"

namespace tandem::gguf {
namespace {

class HeaderBuffer {
 public:
  template <typename T>
  void Put(T value) {
    const std::size_t at = bytes_.size();
    bytes_.resize(at + sizeof(T));
    std::memcpy(bytes_.data() + at, &value, sizeof(T));
  }
  void PutBytes(std::span<const std::byte> bytes) {
    bytes_.insert(bytes_.end(), bytes.begin(), bytes.end());
  }
  void PutString(std::string_view text) {
    Put(static_cast<std::uint64_t>(text.size()));
    PutBytes(std::as_bytes(std::span(text)));
  }
  void Pad(std::uint64_t alignment) {
    bytes_.resize((bytes_.size() + alignment - 1) / alignment * alignment);
  }
  const std::vector<std::byte>& bytes() const { return bytes_; }

 private:
  std::vector<std::byte> bytes_;
};

Status Bad(std::string text) {
  return Status(StatusCode::kInvalidArgument, std::move(text));
}

Result<std::uint64_t> AlignmentOf(const Metadata& metadata) {
  const Metadata::Item* item = metadata.Find("general.alignment");
  if (item == nullptr) {
    return kDefaultAlignment;
  }
  const auto alignment = Value(item->type, item->payload).AsUint();
  // The upper bound keeps padding from becoming the file.
  if (!alignment.has_value() || !std::has_single_bit(*alignment) || *alignment > (1U << 20)) {
    return Bad(Format("general.alignment must be a power of two of at most 2^20"));
  }
  return *alignment;
}

Result<std::uint64_t> SizeOf(const TensorSpec& tensor) {
  if (tensor.dims.empty() || tensor.dims.size() > kMaxDims) {
    return Bad(Format("tensor '{}' has {} dimensions; 1 to {} can be written",
                      Printable(tensor.name), tensor.dims.size(), kMaxDims));
  }
  std::uint64_t elements = 1;
  for (const std::uint64_t dim : tensor.dims) {
    const auto product = CheckedMul(elements, dim);
    if (dim == 0 || !product.has_value()) {
      return Bad(Format("tensor '{}' has a dimension of {} after {} elements",
                        Printable(tensor.name), dim, elements));
    }
    elements = *product;
  }
  const auto size = TensorBytes(tensor.type, tensor.dims[0], elements);
  if (!size.has_value()) {
    return Bad(Format("tensor '{}' has rows of {} values, not a multiple of the {} of a {} block",
                      Printable(tensor.name), tensor.dims[0], Info(tensor.type).block_len,
                      Info(tensor.type).name));
  }
  return *size;
}

struct Layout {
  std::vector<std::uint64_t> sizes;    // bytes of data
  std::vector<std::uint64_t> offsets;  // from the start of the data section
};

Result<Layout> Place(std::span<const TensorSpec> tensors, std::uint64_t alignment) {
  Layout layout;
  std::unordered_set<std::string_view> names;
  std::uint64_t offset = 0;
  for (const TensorSpec& tensor : tensors) {
    if (!names.insert(tensor.name).second) {
      return Bad(Format("tensor '{}' is to be written twice", Printable(tensor.name)));
    }
    TANDEM_ASSIGN_OR_RETURN(const std::uint64_t size, SizeOf(tensor));
    const auto end = CheckedAdd(offset, size);
    const auto padded = end.has_value() ? CheckedAdd(*end, alignment - 1) : std::nullopt;
    if (!padded.has_value()) {
      return Bad(
          Format("tensor '{}' makes the file larger than 2^64 bytes", Printable(tensor.name)));
    }
    layout.sizes.push_back(size);
    layout.offsets.push_back(offset);
    offset = *padded / alignment * alignment;
  }
  return layout;
}

HeaderBuffer EncodeHeader(const Metadata& metadata, std::span<const TensorSpec> tensors,
                          const Layout& layout) {
  HeaderBuffer out;
  out.PutBytes(std::as_bytes(std::span("GGUF", 4)));
  out.Put(std::uint32_t{3});
  out.Put(static_cast<std::uint64_t>(tensors.size()));
  out.Put(static_cast<std::uint64_t>(metadata.items().size()));
  for (const Metadata::Item& item : metadata.items()) {
    out.PutString(item.key);
    out.Put(static_cast<std::uint32_t>(item.type));
    out.PutBytes(item.payload);
  }
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    out.PutString(tensors[i].name);
    out.Put(static_cast<std::uint32_t>(tensors[i].dims.size()));
    for (const std::uint64_t dim : tensors[i].dims) {
      out.Put(dim);
    }
    out.Put(static_cast<std::uint32_t>(tensors[i].type));
    out.Put(layout.offsets[i]);
  }
  return out;
}

/// Runs `source` for one tensor, counts what it gives, and pads.
Status WriteTensor(std::size_t index, const TensorSpec& tensor, std::uint64_t size,
                   std::uint64_t alignment, const TensorSource& source, const ByteSink& sink) {
  std::uint64_t written = 0;
  TANDEM_RETURN_IF_ERROR(source(index, [&](std::span<const std::byte> bytes) -> Status {
    written += bytes.size();
    if (written > size) {
      return Bad(Format("tensor '{}' gave {} bytes or more; its shape needs {}",
                        Printable(tensor.name), written, size));
    }
    return sink(bytes);
  }));
  if (written != size) {
    return Bad(Format("tensor '{}' gave {} bytes; its shape needs {}", Printable(tensor.name),
                      written, size));
  }
  const std::vector<std::byte> padding(
      static_cast<std::size_t>((alignment - size % alignment) % alignment));
  return padding.empty() ? OkStatus() : sink(padding);
}

}  // namespace

Status Write(const Metadata& metadata, std::span<const TensorSpec> tensors,
             const TensorSource& source, const ByteSink& sink) {
  TANDEM_ASSIGN_OR_RETURN(const std::uint64_t alignment, AlignmentOf(metadata));
  TANDEM_ASSIGN_OR_RETURN(const Layout layout, Place(tensors, alignment));
  HeaderBuffer header = EncodeHeader(metadata, tensors, layout);
  header.Pad(alignment);
  TANDEM_RETURN_IF_ERROR(sink(header.bytes()));
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    TANDEM_RETURN_IF_ERROR(WriteTensor(i, tensors[i], layout.sizes[i], alignment, source, sink));
  }
  return OkStatus();
}

Status WriteFile(const std::filesystem::path& path, const Metadata& metadata,
                 std::span<const TensorSpec> tensors, const TensorSource& source) {
  TANDEM_ASSIGN_OR_RETURN(AtomicFileWriter writer, AtomicFileWriter::Create(path));
  TANDEM_RETURN_IF_ERROR(Write(metadata, tensors, source, [&](std::span<const std::byte> bytes) {
    return writer.Write(bytes);
  }));
  return writer.Commit();
}

Result<std::vector<std::byte>> WriteBytes(const Metadata& metadata,
                                          std::span<const TensorSpec> tensors,
                                          const TensorSource& source) {
  std::vector<std::byte> out;
  TANDEM_RETURN_IF_ERROR(Write(metadata, tensors, source, [&](std::span<const std::byte> bytes) {
    out.insert(out.end(), bytes.begin(), bytes.end());
    return OkStatus();
  }));
  return out;
}

}  // namespace tandem::gguf
