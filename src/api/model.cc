#include "api/model_impl.h"

#include "api/convert_types.h"
#include "plan/memory.h"
#include "store/builtin.h"

namespace tandem {

Result<Model> Model::Open(const std::string& name, const OpenOptions& options) {
  auto impl = std::make_shared<Impl>();
  TANDEM_ASSIGN_OR_RETURN(impl->opened, OpenedModel::Load(name, ToSettings(options)));
  TANDEM_RETURN_IF_ERROR(impl->opened.FitContext(AvailableMemory()));
  TANDEM_ASSIGN_OR_RETURN(impl->engine, Engine::Create(impl->opened.loaded->network(), impl->opened.engine));
  impl->facts = ToFacts(impl->opened);
  impl->facts.isa = impl->engine->ops().isa();
  return Model(std::move(impl));
}

const ModelFacts& Model::facts() const { return impl_->facts; }

}  // namespace tandem
