#pragma once

#include <string>

#include "chat/loaded_model.h"
#include "check/report.h"
#include "gguf/model_file.h"

namespace tandem {

/// How publishers lay a model out in files (docs/check.md).
struct FileLayout {
  bool merged = false;      // text, vision and MTP in one file, as Ollama's earlier packages
  bool mtp = false;         // holds a multi-token prediction block
  bool vision = false;      // holds the vision tower
  bool tied_head = false;   // no output.weight: the embedding is the head
  std::size_t parts = 1;    // of a split file
  std::size_t formats = 0;  // different number formats of matrices
};

FileLayout DescribeLayout(const gguf::ModelFile& file);
/// "split parts 2, MTP block inside, tied head, 3 number formats".
std::string LayoutText(const FileLayout& layout);

/// Looks at a model file without running it: its layout, whether it has every key and tensor that
/// the architecture needs in the right shape (by loading it), tokenizer and template, and whether a
/// sample of every tensor's rows holds numbers. True when the model could be loaded.
bool CheckFile(const gguf::ModelFile& file, CheckReport& report);

/// The rows of every tensor that CheckFile looks at: first, last and some between. Adds one item.
void CheckNumbers(const gguf::File& file, CheckReport& report);

/// What the model sees with: its vision file, or the tower inside. A file that is there but broken
/// fails; one of another model, or none for a family that can see, is a note. Adds nothing for
/// families without eyes.
void CheckVision(const LoadedModel& loaded, CheckReport& report);

}  // namespace tandem
