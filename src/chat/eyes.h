#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <string>

#include "base/status.h"
#include "chat/loaded_model.h"
#include "vision/encoder.h"

namespace tandem {

/// Vision files opened before, for models that share one: what one model has seen the other need
/// not look at again.
using EyesPool = std::map<std::string, std::shared_ptr<VisionEncoder>>;

struct EyesOptions {
  std::filesystem::path model;           // the model's file, empty when it is built in
  std::filesystem::path mmproj;          // empty: look beside the model
  std::filesystem::path projector = {};  // looked at before others beside the model, may be empty
  EncoderOptions encoder;
  EyesPool* pool = nullptr;  // may be null
};

/// Lets a model see, if its family can: with the vision file that is given, else with the tower in
/// its own file, else with the one its store has for it, else with the file beside it whose name
/// has "mmproj" in it and that fits (of several the one named most like the model, F16 before other
/// types). A model without any stays blind, which is no error. A given file that cannot be used is:
/// errors of ModelFile::Open and VisionEncoder::Create, InvalidArgument when its rows do not fit
/// the model.
Status OpenEyes(const EyesOptions& options, LoadedModel& model);

}  // namespace tandem
